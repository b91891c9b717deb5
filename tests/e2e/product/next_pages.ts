// In an app directory there is no router of the pages directory, and Next.js then says null.
export const useRouter = () => null;
